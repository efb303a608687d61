import pack.deep.leaf

pack.deep.leaf.fall()
