from factory import build

build()()
