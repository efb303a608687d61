from pack import leaf

leaf.fall()
