require_relative "lib/door"
require "json"
# A shop.
# Open.
⟨Class Shop.Inner¦module Shop::Inner
  ⟨Class Box¦class Box < Base
    ⟨Attribute LIMIT¦LIMIT = 3⟩
    attr_reader :size

    ⟨Function initialize¦def initialize(size) = fill(size)⟩
    ⟨Function fill¦def fill(n, *rest, key: 1, &block)
      helper
      helper = 2
      helper
      n
      block.call(other(1))
      Door::Handle.turn
      Box.new(1).size
      self.class_of
    end⟩
    ⟨Function make¦def self.make(other) other; new(1) end⟩
    class << self
      ⟨Function class_of¦def class_of; end⟩
    end
    ⟨Function ==¦def ==(o) = o.each { |other| other }⟩
    ⟨Function other¦def other(x)
      x.map { fill(1) }
    end⟩
    ⟨Function empty?¦def empty? = other(2)⟩
  end⟩
end⟩
⟨Function top¦def top; other(1); Shop::Inner::Box.make(1); end⟩
top
