from pack.run import run
