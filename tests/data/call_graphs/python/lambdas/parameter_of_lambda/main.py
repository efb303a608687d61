def leaf():
    pass


apply = lambda function: function()
apply(leaf)
