module bench/goserver

go 1.24
