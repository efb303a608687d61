import pack

pack.tools.hammer()
pack.hammer()
