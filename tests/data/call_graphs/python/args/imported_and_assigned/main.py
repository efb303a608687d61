from jobs import run, work

chosen = work
run(chosen)
