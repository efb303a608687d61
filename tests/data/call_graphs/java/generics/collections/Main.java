import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

class Team {
    void play() { }
}

class League {
    void start() { }
}

class Main {
    static Map<League, List<Team>> table() { return new HashMap<>(Map.of(new League(), List.of(new Team()))); }

    public static void main(String[] args) {
        for (Map.Entry<League, List<Team>> entry : table().entrySet()) {
            entry.getKey().start();
            entry.getValue().get(0).play();
        }
        for (var team : table().values().iterator().next()) {
            team.play();
        }
        Optional<Team> first = Optional.of(new Team());
        first.ifPresent(t -> t.play());
        first.orElseThrow().play();
    }
}
