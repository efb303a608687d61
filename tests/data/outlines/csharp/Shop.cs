using System;
namespace Shop.Inner
{
    /// <summary>A box.</summary>
    ⟨Class Box¦[Serializable]
    public partial class Box<T> : Base, IHold where T : class
    {
        ⟨Attribute a¦⟨Attribute b¦private int a, b;⟩⟩
        ⟨Attribute Size¦public int Size { get; set; }⟩
        ⟨Function Box¦public Box(int n) : base() { Fill(n); }⟩
        ⟨Function ~Box¦~Box() { }⟩
        ⟨Function Fill¦private void Fill(int n)
        {
            this.Other(); Tools.Turn(); new Box<int>(1); Console.Write(1);
            ⟨Function Local¦void Local(int x) => Fill(x);⟩
            Local(1);
        }⟩
        ⟨Function operator +¦public static Box<T> operator +(Box<T> l, Box<T> r) => l;⟩
        ⟨Function this[]¦public int this[int i] => i;⟩
        ⟨Attribute Changed¦public event Handler Changed;⟩
    }⟩
    ⟨Class IHold¦interface IHold { ⟨Function Hold¦void Hold();⟩ }⟩
    ⟨Class Kind¦enum Kind { ⟨Attribute A¦A⟩, ⟨Attribute B¦B = 2⟩ }⟩
    ⟨Class Point¦public record Point(int X);⟩
    ⟨Class Handler¦delegate void Handler(int a);⟩
}
