import pack
