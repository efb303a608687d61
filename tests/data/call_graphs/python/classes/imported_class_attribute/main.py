import tools

tools.Kit.hammer()
kit = tools.Kit()
kit.saw()
