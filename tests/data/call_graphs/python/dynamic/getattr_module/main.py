import parts

getattr(parts, "build")()
