import one
import two


class Mine(two.Base):
    pass


Mine().run()
