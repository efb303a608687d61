from shapes import Circle

circle = Circle()
circle.area()
