import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

class Employee {
    final String team;
    final int pay;
    Employee(String team, int pay) { this.team = team; this.pay = pay; }
    String getTeam() { return team; }
    int getPay() { return pay; }
    void promote() { }
}

class Main {
    static void raise(List<? extends Employee> staff) {
        staff.stream().max(Comparator.comparingInt(Employee::getPay)).get().promote();
    }
    static void groups(List<Employee> staff) {
        Map<String, List<Employee>> byTeam = staff.stream().collect(Collectors.groupingBy(e -> e.getTeam()));
        byTeam.forEach((team, members) -> members.get(0).promote());
    }

    public static void main(String[] args) {
        List<Employee> staff = List.of(new Employee("a", 1), new Employee("b", 2));
        raise(staff);
        groups(staff);
    }
}
