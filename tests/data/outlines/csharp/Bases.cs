namespace Shop.Bases
{
    ⟨Class IOpens¦interface IOpens {}⟩
    ⟨Class Base¦class Base {}⟩
    ⟨Class IWide¦interface IWide : IOpens {}⟩
    ⟨Class Spot¦struct Spot : IOpens {}⟩
    ⟨Class Till¦class Till : Base, IWide, System.IDisposable {}⟩
    ⟨Class Size¦enum Size : byte {}⟩
}
