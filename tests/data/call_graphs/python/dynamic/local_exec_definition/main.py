def helper():
    pass


scope = {"helper": helper}
exec("def made():\n    helper()\n\nmade()", scope)
