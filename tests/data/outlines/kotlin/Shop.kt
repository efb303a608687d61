package shop.inner

import shop.tools.turn
import shop.tools.Hammer as Tool

/** A box. */
⟨Class Box¦open class Box<T>(val size: Int) : Base(size), Holds {
    ⟨Attribute open¦val open: Boolean = true⟩
    ⟨Function constructor¦constructor() : this(1)⟩
    ⟨Function fill¦fun fill(n: Int = 1, vararg rest: String): Int = this.other() + other()⟩
    ⟨Function other¦private fun other(): Int {
        turn(1)
        Tool.hit()
        val free = { i: Int -> i }
        free(2)
        println()
        return make().fill()
    }⟩
    companion object {
        ⟨Function make¦fun make() = Box<Int>(1)⟩
    }
}⟩

⟨Class Holds¦interface Holds {
    ⟨Function hold¦fun hold()⟩
}⟩

⟨Class Kind¦enum class Kind {
    ⟨Attribute A¦A⟩, ⟨Attribute B¦B⟩;

    ⟨Function label¦fun label() = Box.make()⟩
}⟩

⟨Class One¦object One {
    ⟨Function go¦fun go() {
        free()
    }⟩
}⟩
⟨Function String.ext¦@Deprecated
fun String.ext(f: () -> Unit) {
    ⟨Function local¦fun local() {}⟩
    f()
    local()
}⟩
⟨Class Name¦typealias Name = String⟩
⟨Attribute top¦val top = 1⟩
⟨Function free¦fun free() {}⟩
