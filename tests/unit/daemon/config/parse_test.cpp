#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "daemon/config/config.hpp"

using namespace conductor;
using namespace conductor::config;
using namespace std::chrono_literals;

namespace {

std::string slurp(const char* path) {
    std::ifstream in{path};
    REQUIRE(in.good());
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string problems_of(const Loaded& loaded) {
    std::string out;
    for (const Problem& p : loaded.problems) out += p.text() + "\n";
    return out;
}

/// A file that is right but for `extra`, which begins in line 3.
Loaded with(std::string_view extra) {
    return parse("[gateway]\nid = \"box-1\"\n" + std::string{extra}, "c.toml");
}

}  // namespace

TEST_CASE("config: the example of the contract is accepted whole") {
    const Loaded loaded = parse(slurp(SOURCE_DIR "/tests/unit/daemon/config/contract.toml"), "contract.toml");
    CHECK(problems_of(loaded) == "");
    const Config& c = loaded.config;
    CHECK(c.gateway.id == "box-1");
    CHECK(c.send == Send{});  // the example shows the defaults
    CHECK(c.http->listen == "127.0.0.1:8026");
    REQUIRE(c.rules.size() == 1);
    CHECK(c.rules[0].window == Window{480, 1200});
    CHECK(c.rules[0].per_day == 3);
    CHECK(c.opt_out.brand == "Example Shop");
    CHECK(c.opt_out.stop == OptOut{}.stop);
    CHECK(c.analytics == Analytics{});
    REQUIRE(c.modems.size() == 1);
    CHECK(c.modems[0].imei == "350000000000000");
    CHECK(c.modems[0].pin_file == "sim0-pin");
    CHECK(c.modems[0].cost_per_part == 0.01);
    CHECK(c.supabase->url == "https://PROJECT.supabase.co");
    CHECK_FALSE(c.supabase->batch);
    CHECK(c.webhook->url == "https://example.com/hook");
    CHECK(c.retention == Retention{});
    CHECK(c.log == Logging{});
}

TEST_CASE("config: the smallest file has the defaults and no modem") {
    const Loaded loaded = with("");
    CHECK(problems_of(loaded) == "");
    Config want;
    want.gateway.id = "box-1";
    CHECK(loaded.config == want);
}

TEST_CASE("config: a route to a modem that there is not is a warning") {
    const std::string modem = "[[modem]]\nindex = 63\nmatch = { port = \"/dev/x\" }\n";
    const Loaded loaded = with(modem + "[[route]]\nprefix = \"+52\"\nmodems = [63, 1]\n");
    CHECK(problems_of(loaded) == "");
    REQUIRE(loaded.warnings.size() == 1);
    CHECK(loaded.warnings[0].text() == "c.toml:8: route[0].modems: names modem 1, which is not configured: nothing goes out by it");
    CHECK(with(modem + "[[route]]\nprefix = \"+52\"\nmodems = [63]\n").warnings.empty());
}

TEST_CASE("config: values") {
    const Loaded loaded = with(R"([send]
window = "21:30-02:00"
days = ["sun"]
holidays = ["2026-12-25", "07-04", 2027-01-01]
late = "expire"
on_unknown = { transactional = "resend" }
journal = "modem"
national_tables = [1, 13]
countries = []
retry = { first = "250ms" }
[[modem]]
index = 3
match = { port = "pty:/tmp/sim/modem0", imei = "350000000000000" }
classes = ["reply", "transactional"]
reset = { usb = false, command = "uhubctl" }
[[modem]]
index = 4
match = { port = "tcp:[::1]:7000" }
[[route]]
prefix = "+52"
modems = [4, 3]
[supabase]
url = "http://127.0.0.1:3000/"
key_file = "/etc/conductor/key"
jwt_file = "jwt"
batch = 50
horizon = "2h"
[alarms]
numbers = ["(555) 010-0100"]
[log]
level = "debug"
)");
    CHECK(problems_of(loaded) == "");
    const Config& c = loaded.config;
    CHECK(c.send.window == Window{21 * 60 + 30, 120});
    CHECK(c.send.days == 0b1000000u);
    CHECK(c.send.holidays == std::vector<Date>{{2026, 12, 25}, {0, 7, 4}, {2027, 1, 1}});
    CHECK(c.send.late == Late::expire);
    CHECK(c.send.on_unknown == std::array{OnUnknown::hold, OnUnknown::resend, OnUnknown::hold});
    CHECK(c.send.journal == Journal::modem);
    CHECK(c.send.national_tables == std::vector<std::uint8_t>{1, 13});
    CHECK(c.send.countries.empty());
    CHECK(c.send.retry.first == 250ms);
    REQUIRE(c.modems.size() == 2);
    CHECK(c.modems[0].port == "pty:/tmp/sim/modem0");
    CHECK(c.modems[0].classes == std::vector{MessageClass::reply, MessageClass::transactional});
    CHECK_FALSE(c.modems[0].reset_usb);
    CHECK(c.modems[1].port == "tcp:[::1]:7000");
    REQUIRE(c.routes.size() == 1);
    CHECK(c.routes[0].modems == std::vector<ModemIndex>{4, 3});
    CHECK(c.supabase->url == "http://127.0.0.1:3000");
    CHECK(c.supabase->batch == 50);
    CHECK(c.supabase->horizon == 2h);
    CHECK_FALSE(c.supabase->lease);
    CHECK(c.alarms.numbers == std::vector<std::string>{"+15550100100"});
    CHECK(c.log.level == 7);
}

TEST_CASE("config: each mistake is reported with file, line and key") {
    struct Row {
        std::string name;
        const char* extra;
        const char* want;  ///< beginning of the one problem
    };
    const Row rows[] = {
        {"unknown key", "[send]\nmax_atempts = 3\n", "c.toml:4: send.max_atempts: unknown key (did you mean \"max_attempts\"?)"},
        {"unknown table", "[supabse]\n", "c.toml:3: supabse: unknown key (did you mean \"supabase\"?)"},
        {"unknown key, nothing near", "[log]\ncolour = 1\n", "c.toml:4: log.colour: unknown key"},
        {"unknown key in an inline table", "[send]\nretry = { frist = \"1s\" }\n",
         "c.toml:4: send.retry.frist: unknown key (did you mean \"first\"?)"},
        {"unknown key of a modem", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\nbauds = 1\n",
         "c.toml:6: modem[0].bauds: unknown key (did you mean \"baud\"?)"},
        {"bad unit", "[send]\nexpire_after = \"5min\"\n", "c.toml:4: send.expire_after: \"5min\" is no duration"},
        {"no unit", "[send]\nexpire_after = \"5\"\n", "c.toml:4: send.expire_after: \"5\" is no duration"},
        {"duration as number", "[send]\nexpire_after = 5\n", "c.toml:4: send.expire_after: is an integer, but must be a duration"},
        {"duration out of range", "[send]\nexpire_after = \"442d\"\n", "c.toml:4: send.expire_after: 442d is out of range: 1s to 441d"},
        {"overflowing duration", "[send]\nexpire_after = \"999999999999d\"\n",
         "c.toml:4: send.expire_after: \"999999999999d\" is no duration"},
        {"integer out of range", "[send]\nmax_attempts = 0\n", "c.toml:4: send.max_attempts: 0 is out of range: 1 to 100"},
        {"integer beyond int", "[send]\nmax_attempts = 4294967297\n", "c.toml:4: send.max_attempts: 4294967297 is out of range"},
        {"wrong type", "[send]\ntransliterate = \"yes\"\n", "c.toml:4: send.transliterate: is a string, but must be true or false"},
        {"fraction for integer", "[send]\nmax_attempts = 1.5\n", "c.toml:4: send.max_attempts: is a number with a fraction"},
        {"table as value", "send = 3\n", "c.toml:3: gateway.send: unknown key"},
        {"factor nan", "[send]\nretry = { factor = nan }\n", "c.toml:4: send.retry.factor: nan is out of range"},
        {"retry max below first", "[send]\nretry = { first = \"2h\" }\n", "c.toml:4: send.retry.max: 1h is below first, which is 2h"},
        {"window", "[send]\nwindow = \"9-20\"\n", "c.toml:4: send.window: \"9-20\" is no window"},
        {"window that is empty", "[send]\nwindow = \"09:00-09:00\"\n", "c.toml:4: send.window:"},
        {"day", "[send]\ndays = [\"mon\", \"tus\"]\n",
         "c.toml:4: send.days: \"tus\" is no day: mon, tue, wed, thu, fri, sat, sun (did you mean \"tue\"?)"},
        {"no day", "[send]\ndays = []\n", "c.toml:4: send.days: names no day"},
        {"date", "[send]\nholidays = [\"2026-02-29\"]\n", "c.toml:4: send.holidays: an element is no date"},
        {"choice", "[send]\nlate = \"next_window\"\n",
         "c.toml:4: send.late: \"next_window\" is not one of next-window, expire (did you mean \"next-window\"?)"},
        {"on_unknown", "[send]\non_unknown = \"retry\"\n", "c.toml:4: send.on_unknown: \"retry\" is not one of hold, resend"},
        {"on_unknown by class", "[send]\non_unknown = { otp = \"hold\" }\n", "c.toml:4: send.on_unknown.otp: unknown key"},
        {"on_unknown type", "[send]\non_unknown = 1\n", "c.toml:4: send.on_unknown: is an integer, but must be \"hold\""},
        {"national table", "[send]\nnational_tables = [14]\n", "c.toml:4: send.national_tables: 14 is no language identifier"},
        {"country", "[send]\ncountries = [\"USA\"]\n", "c.toml:4: send.countries: \"USA\" is no country"},
        {"region", "region = \"XX\"\n", "c.toml:3: gateway.region: \"XX\" is no country"},
        {"time zone", "time_zone = \"America/Los_Angelos\"\n",
         "c.toml:3: gateway.time_zone: \"America/Los_Angelos\" is not in this system's tzdata"},
        {"long socket",
         "socket = \"/x12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\"\n",
         "c.toml:3: gateway.socket: is longer than 107 octets"},
        {"scan", "[discovery]\nscan = [\"usb\"]\n", "c.toml:4: discovery.scan: \"usb\" is neither"},
        {"http without token", "[http]\nlisten = \"127.0.0.1:1\"\n", "c.toml:3: http.token_file: is missing"},
        {"http not loopback", "[http]\nlisten = \"0.0.0.0:80\"\ntoken_file = \"t\"\n",
         "c.toml:4: http.listen: 0.0.0.0 is no loopback address"},
        {"http 127 as a name", "[http]\nlisten = \"127.example.com:80\"\ntoken_file = \"t\"\n",
         "c.toml:4: http.listen: 127.example.com is no loopback"},
        {"http port", "[http]\nlisten = \"127.0.0.1:65536\"\ntoken_file = \"t\"\n",
         "c.toml:4: http.listen: \"127.0.0.1:65536\" is not HOST:PORT"},
        {"http half of tls", "[http]\nlisten = \"127.0.0.1:1\"\ntoken_file = \"t\"\ntls_key_file = \"k\"\n",
         "c.toml:3: http.tls_cert_file: needs tls_key_file"},
        {"rule without state", "[[rule]]\nper_day = 3\n", "c.toml:3: rule[0].state: is missing"},
        {"rule of no state", "[[rule]]\nstate = \"ZZ\"\n", "c.toml:4: rule[0].state: \"ZZ\" is no state"},
        {"empty word list", "[opt_out]\nstop = []\n", "c.toml:4: opt_out.stop: needs at least one word"},
        {"word in two lists", "[opt_out]\nhelp = [\"STOP\"]\n", "c.toml:4: opt_out.help: \"STOP\" also stands in stop"},
        {"variable of an answer", "[opt_out]\nconfirm = \"{name}: bye\"\n",
         "c.toml:4: opt_out.confirm: only the variable {brand} is allowed"},
        {"weights all 0", "[analytics]\nweights = { urgency = 0, value = 0, campaign = 0, response = 0, fatigue = 0 }\n",
         "c.toml:4: analytics.weights: are all 0"},
        {"tiers", "[analytics]\nvip_visits = { vip = 5 }\n", "c.toml:4: analytics.vip_visits: must fall"},
        {"churn", "[analytics]\nchurn_days = { high = 90 }\n", "c.toml:4: analytics.churn_days: must rise"},
        {"modem as table", "[modem]\nindex = 0\n", "c.toml:3: modem: is a table, but must be an array of tables: write [[modem]]"},
        {"modem without match", "[[modem]]\nindex = 0\n", "c.toml:3: modem[0].match: says how to find"},
        {"modem without index", "[[modem]]\nmatch = { port = \"/dev/x\" }\n", "c.toml:3: modem[0].index: is missing"},
        {"same index", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\n[[modem]]\nindex = 0\nmatch = { port = \"/dev/y\" }\n",
         "c.toml:7: modem[1].index: 0 is taken by the modem in line 3"},
        {"same match", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\n[[modem]]\nindex = 1\nmatch = { port = \"/dev/x\" }\n",
         "c.toml:8: modem[1].match: is the same as that of modem 0"},
        {"imei", "[[modem]]\nindex = 0\nmatch = { imei = \"35\", port = \"/dev/x\" }\n",
         "c.toml:5: modem[0].match.imei: must be 14 to 16 digits"},
        {"port", "[[modem]]\nindex = 0\nmatch = { port = \"ttyUSB0\", usb = \"1-1\" }\n",
         "c.toml:5: modem[0].match.port: \"ttyUSB0\" is neither"},
        {"tcp port", "[[modem]]\nindex = 0\nmatch = { port = \"tcp:host\", usb = \"1-1\" }\n",
         "c.toml:5: modem[0].match.port: \"tcp:\" needs HOST:PORT"},
        {"class", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\nclasses = [\"replies\"]\n",
         "c.toml:6: modem[0].classes: \"replies\" is not one of"},
        {"currency", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\ncurrency = \"usd\"\n",
         "c.toml:6: modem[0].currency: must be three capitals"},
        {"smsc", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\nsmsc = \"+1555x\"\n",
         "c.toml:6: modem[0].smsc: must be a service centre"},
        {"ussd", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\nbalance = { ussd = \"*100#;AT\" }\n",
         "c.toml:6: modem[0].balance.ussd: may contain digits"},
        {"pin as path", "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\npin_file = \"../pin\"\n",
         "c.toml:6: modem[0].pin_file: must be the name of a credential"},
        {"route to no modem", "[[route]]\nprefix = \"+52\"\nmodems = [256]\n", "c.toml:5: route[0].modems: 256 is no index of a modem"},
        {"a lease that is over before it can be renewed",
         "[supabase]\nurl = \"https://x.example.com\"\nkey_file = \"k\"\nuser_file = \"u\"\nlease = \"40s\"\n",
         "c.toml:7: supabase.lease: 40s is out of range: 1m to 7d; or \"auto\""},
        {"url http", "[supabase]\nurl = \"http://example.com\"\nkey_file = \"k\"\nuser_file = \"u\"\n",
         "c.toml:4: supabase.url: http:// is for loopback alone"},
        {"url with user", "[webhook]\nurl = \"https://a@example.com\"\nsecret_file = \"s\"\n",
         "c.toml:4: webhook.url: must be SCHEME://HOST"},
        {"supabase users", "[supabase]\nurl = \"https://example.com\"\nkey_file = \"k\"\n", "c.toml:3: supabase.user_file: exactly one of"},
        {"batch", "[supabase]\nurl = \"https://example.com\"\nkey_file = \"k\"\nuser_file = \"u\"\nbatch = \"all\"\n",
         "c.toml:7: supabase.batch: is a string, but must be \"auto\""},
        {"alarm number", "[alarms]\nnumbers = [\"call me\"]\n",
         "c.toml:4: alarms.numbers: element 1 is no phone number: a phone number has no letters"},
        {"level", "[log]\nlevel = \"warn\"\n", "c.toml:4: log.level: \"warn\" is not one of"},
        {"not TOML", "[send\n", "c.toml:3: not TOML: "},
        {"the same key twice", "[send]\nlate = \"expire\"\nlate = \"expire\"\n", "c.toml:5: not TOML: "},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Loaded loaded = with(row.extra);
        CAPTURE(problems_of(loaded));
        REQUIRE(loaded.problems.size() == 1);
        CHECK(loaded.problems[0].text().starts_with(row.want));
    }
}

TEST_CASE("config: all problems of a file at once, in any order of tables") {
    const Loaded loaded = parse("[log]\nlevel = \"x\"\n[gateway]\npool = \"a b\"\n[send]\nmax_attempts = -1\nfoo = 1\n", "c.toml");
    std::vector<std::string> keys;
    for (const Problem& p : loaded.problems) keys.push_back(p.key);
    CHECK(keys == std::vector<std::string>{"gateway.id", "gateway.pool", "send.max_attempts", "send.foo", "log.level"});
    CHECK(parse("", "c.toml").problems.at(0).text().starts_with("c.toml:1: gateway: is missing"));
}

TEST_CASE("config: durations and windows") {
    struct Row {
        std::string text;
        std::optional<std::int64_t> ms;
    };
    const Row rows[] = {{"90s", 90'000}, {"5m", 300'000}, {"1h", 3'600'000}, {"7d", 604'800'000},   {"250ms", 250},
                        {"0s", 0},       {"", {}},        {"s", {}},         {"-1s", {}},           {"1.5h", {}},
                        {"1 h", {}},     {"1H", {}},      {"1h30m", {}},     {"9999999999999s", {}}};
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto got = parse_duration(row.text);
        REQUIRE(got.has_value() == row.ms.has_value());
        if (got) CHECK(got->count() == *row.ms);
    }
    CHECK(parse_window("00:00-24:00") == Window{0, 1440});
    CHECK(parse_window("20:00-09:00") == Window{1200, 540});
    for (const std::string bad :
         {"", "09:00", "24:00-09:00", "09:00-24:01", "09:60-10:00", "9:00-10:00", "09-00:10-00", "09:00-09:00", "0x:00-10:00"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_window(bad).has_value());
    }
}

TEST_CASE("config: show is JSON and names files, not secrets") {
    const Loaded loaded = parse(slurp(SOURCE_DIR "/tests/unit/daemon/config/contract.toml"), "c");
    const std::string json = show(loaded.config);
    for (const std::string part : {"\"window\": \"09:00-20:00\"", "\"pin_file\": \"sim0-pin\"", "\"lease\": \"auto\"",
                                   "\"expire_after\": \"1d\"", "\"level\": \"info\"", "\"prefix\": \"+52\""}) {
        CAPTURE(part);
        CHECK(json.find(part) != std::string::npos);
    }
}

TEST_CASE("config: what needs a restart") {
    Config running = with(
                         "[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\n[supabase]\nurl = \"https://example.com\"\nkey_file = "
                         "\"k\"\nuser_file = \"u\"\n")
                         .config;
    Config wanted = running;
    wanted.send.max_attempts = 9;
    wanted.modems[0].per_hour = 5;
    wanted.supabase->poll = 5s;
    CHECK(needs_restart(running, wanted).empty());
    wanted.modems[0].port = "/dev/y";
    wanted.supabase->url = "https://example.org";
    wanted.gateway.pool = "other";
    wanted.http.emplace();
    wanted.send.journal = Journal::modem;
    wanted.webhook.emplace();
    wanted.log.level = 7;
    CHECK(needs_restart(running, wanted) == std::vector<std::string>{"gateway", "http", "send", "modem", "supabase", "webhook", "log"});
}

TEST_CASE("config: is_pin") {
    for (const char* pin : {"0000", "1234", "12345678"}) CHECK(is_pin(pin));
    for (const char* no : {"", "123", "123456789", "12a4", "1234 ", " 1234", "+123", "١٢٣٤"}) CHECK_FALSE(is_pin(no));
}

TEST_CASE("config: secret_path") {
    CHECK(secret_path("/etc/k", "/run/c") == "/etc/k");
    CHECK(secret_path("k", "/run/c") == "/run/c/k");
    CHECK(secret_path("k", "/run/c/") == "/run/c/k");
    CHECK(secret_path("", "/run/c") == "");
}
