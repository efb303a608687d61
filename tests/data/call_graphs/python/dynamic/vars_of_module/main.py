import commands

vars(commands)["build"]()
