import helper

helper.VALUE
