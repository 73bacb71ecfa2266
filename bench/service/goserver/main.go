// A minimal net/http service with the same answer, to measure against.
package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

type answer struct {
	Timestamp string `json:"timestamp"`
	IP        string `json:"ip"`
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ip, _, _ := net.SplitHostPort(r.RemoteAddr)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		_ = json.NewEncoder(w).Encode(answer{now, ip})
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
