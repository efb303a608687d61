import east
import west

east.go()
west.go()
