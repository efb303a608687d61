from pack import run

run()
