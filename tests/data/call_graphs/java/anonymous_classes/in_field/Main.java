import java.util.Comparator;

class Main {
    static final Comparator<String> BY_LENGTH = new Comparator<String>() {
        @Override
        public int compare(String a, String b) { return size(a) - size(b); }
    };
    static int size(String s) { return s.length(); }

    public static void main(String[] args) {
        BY_LENGTH.compare("a", "bb");
    }
}
