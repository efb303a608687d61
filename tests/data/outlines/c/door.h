#ifndef DOOR_H
#define DOOR_H
#include <stdio.h>
⟨Class door¦typedef struct door {
    ⟨Attribute width¦⟨Attribute next¦int width, *next;⟩⟩
    ⟨Attribute shut¦int (*shut)(struct door *);⟩
} door_t;⟩
⟨Class side¦enum side { ⟨Attribute LEFT¦LEFT⟩, ⟨Attribute RIGHT¦RIGHT = 2⟩ }⟩;
⟨Class pair_t¦typedef union { ⟨Attribute a¦int a;⟩ } pair_t;⟩
#define LIMIT 3
⟨Function TWICE¦#define TWICE(x) ((x) + (x))⟩
int door_shut(struct door *d);
#endif
