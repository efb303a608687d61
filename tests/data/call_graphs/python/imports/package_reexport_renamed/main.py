import pack

pack.job()
