package shop.inner

import shop.tools.{Hammer => Tool, Other}
import scala.collection._

/** A box. */
⟨Class Box¦abstract class Box[T](val size: Int) extends Base(size) with Holds {
  ⟨Attribute open¦val open: Boolean = true⟩
  ⟨Function fill¦def fill(n: Int = 1)(rest: String*): Int = this.other() + other()⟩
  ⟨Function other¦private def other(): Int = {
    Tool.hit(1)
    val free = (i: Int) => i
    free(2)
    ⟨Function inner¦def inner() = Box.make()⟩
    inner()
  }⟩
  ⟨Function later¦def later: Int⟩
}⟩

⟨Class Box¦object Box {
  ⟨Function make¦def make() = One.go()⟩
}⟩
⟨Class Holds¦trait Holds { ⟨Function hold¦def hold(): Unit⟩ }⟩
⟨Class Dot¦case class Dot(x: Int)⟩
⟨Class One¦object One { ⟨Function go¦def go() = for (make <- list) yield make()⟩ }⟩
