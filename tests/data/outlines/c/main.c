#include "door.h"
#include "missing.h"

⟨Function helper¦static int helper(void) { return 0; }⟩

#ifdef MAIN
⟨Function main¦int main(int argc, char **argv) { helper(); printf("%d", door_shut(0)); return 0; }⟩
#endif
