from pack.first import start

start()
