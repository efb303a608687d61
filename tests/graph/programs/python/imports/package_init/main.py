import pack

pack.work()
