#include "door.h"

⟨Function helper¦static int helper(int x) { return TWICE(x); }⟩

/* Shuts it. */
⟨Function door_shut¦int door_shut(struct door *d)
{
    int (*other)(int) = 0;
    other(1);
    d->shut(d);
    return helper(d->width);
}⟩
