import pack

pack.lazy()
