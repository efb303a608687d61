import pack.tools as kit

kit.hammer()
