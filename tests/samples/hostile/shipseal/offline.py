raise SystemExit('BETRAYED: the project runs as the pipeline')
