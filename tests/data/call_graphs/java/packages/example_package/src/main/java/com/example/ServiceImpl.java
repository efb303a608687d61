package com.example;

/** Nobody names it: it is made by reflection. The package's name does not make it an example. */
public class ServiceImpl implements Service {
    public void serve() { }
}
