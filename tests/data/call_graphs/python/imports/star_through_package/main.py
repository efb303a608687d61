from pack import open_door, Door

open_door()
Door().close()
