from config import handler

handler()
