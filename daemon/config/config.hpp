#pragma once
// The configuration as a value: every key of the TOML file and its default. Limits stand beside the field they bind, as [least, most], and
// are enforced by parse(). Nothing here opens a file; a time zone's name is looked up in the system's tzdata.
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/ids.hpp"
#include "daemon/core/message.hpp"
#include "daemon/core/result.hpp"

namespace conductor::config {

using std::chrono::milliseconds;

/// Local times of day in minutes from midnight; end may be below begin (crosses midnight); 0-1440 is always.
struct Window {
    int begin = 9 * 60, end = 20 * 60;
    bool operator==(const Window&) const = default;
};
/// Monday is bit 0.
using Days = unsigned;
struct Date {
    int year = 0, month = 0, day = 0;
    auto operator<=>(const Date&) const = default;
};  ///< year 0: every year

struct Gateway {
    std::string id, pool = "main";                             ///< [1, 64] of letters, digits, '.', '_', '-'; id has no default
    std::string database = "/var/lib/conductor/conductor.db";  ///< a path
    std::string socket = "/run/conductor/control.sock";        ///< a path of at most 107 octets (sun_path)
    std::string region = "US";                                 ///< ISO 3166 alpha-2 with a calling code
    std::string time_zone = "America/Los_Angeles";             ///< a name of tzdata
    std::int64_t queue_limit = 1'000'000;                      ///< [1, 100,000,000] messages
    bool operator==(const Gateway&) const = default;
};
struct Discovery {
    std::vector<std::string> scan = {"serial"};  ///< "serial", or a folder or glob of ptys: "pty:DIR/*"; at most 32
    bool operator==(const Discovery&) const = default;
};
struct Http {
    std::string listen;  ///< HOST:PORT; a loopback host unless both TLS files are set; "[::1]:8026" for IPv6
    std::string token_file, tls_cert_file, tls_key_file;
    bool operator==(const Http&) const = default;
};
struct Retry {
    milliseconds first{30'000};   ///< [10 ms, 24 h]
    double factor = 2.0;          ///< [1, 10]
    milliseconds max{3'600'000};  ///< [first, 7 d]
    double jitter = 0.2;          ///< [0, 0.9]: a delay d becomes d * (1 +- jitter)
    bool operator==(const Retry&) const = default;
};
enum class Late : std::uint8_t { next_window, expire };
enum class Journal : std::uint8_t { host, modem };
struct Send {
    Window window;
    Days days = 0b0111111;       ///< at least one
    std::vector<Date> holidays;  ///< at most 366: "2026-12-25" or each year "12-25"
    int max_attempts = 5;        ///< [1, 100]
    Retry retry;
    milliseconds expire_after{24 * 3'600'000};  ///< [1 s, 441 d]: TP-VP ends at 63 weeks
    Late late = Late::next_window;
    bool delivery_reports = true;
    std::array<OnUnknown, 3> on_unknown = {OnUnknown::hold, OnUnknown::hold, OnUnknown::hold};  ///< by MessageClass
    Journal journal = Journal::host;
    bool transliterate = false;
    std::vector<std::uint8_t> national_tables;          ///< language ids of TS 23.038 §6.2.1.2.4, 1-13
    int max_segments = 10;                              ///< [1, 255]
    milliseconds per_recipient_gap{5 * 60'000};         ///< [0, 7 d]
    int per_recipient_day = 1, per_recipient_week = 3;  ///< [0, 1000], 0 = no limit
    milliseconds duplicate_window{24 * 3'600'000};      ///< [0, 30 d], 0 = off
    int daily_budget = 0;                               ///< [0, 10,000,000], 0 = no limit
    std::vector<std::string> countries = {"US"};        ///< ISO 3166 alpha-2; empty = any
    bool operator==(const Send&) const = default;
};
/// Stricter law of a place: an absent field does not bind.
struct Rule {
    std::string state;  ///< a state, territory or province of the +1 countries, two letters
    std::optional<Window> window;
    std::optional<Days> days;
    std::vector<Date> holidays;
    std::optional<int> per_day;  ///< [0, 1000], 0 = no limit of this rule
    bool operator==(const Rule&) const = default;
};
struct OptOut {
    bool require_consent = true;
    std::string brand;  ///< at most 64 octets; a word is [1, 32] octets, a list [1, 64] words, a text at most 600 octets
    std::vector<std::string> stop = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT"};
    std::vector<std::string> start = {"START", "UNSTOP"};
    std::vector<std::string> help = {"HELP", "INFO"};
    std::string confirm = "{brand}: you are unsubscribed and get no more messages. Reply START to resume.";
    std::string help_text = "{brand}: reply STOP to end.";
    std::string start_text = "{brand}: you are subscribed again. Reply STOP to end.";
    bool operator==(const OptOut&) const = default;
};
/// Each [-100, 100], in points; they are normalised so that the priority is 0-100.
struct Weights {
    double urgency = 35, value = 25, campaign = 15, response = 25, fatigue = -10;
    bool operator==(const Weights&) const = default;
};
struct Analytics {
    Weights weights;
    int vip = 16, regular = 6, casual = 2;                        ///< visits, [1, 100,000], falling
    int churn_medium = 30, churn_high = 60, churn_critical = 90;  ///< days, [1, 3650], rising
    bool operator==(const Analytics&) const = default;
};
struct Balance {
    std::string ussd;                    ///< digits, '*', '#', '+', at most 182; empty = never asked
    std::string pattern;                 ///< at most 200 octets: "Your balance is {balance} USD" (dispatch/balance.hpp)
    milliseconds every{24 * 3'600'000};  ///< [10 min, 90 d]
    double low = 0;                      ///< [0, 1e9], alarm below
    bool operator==(const Balance&) const = default;
};
struct Modem {
    ModemIndex index = 0;                      ///< [0, 63], each once; required
    std::string imei, iccid, imsi, usb, port;  ///< match: at least one; all of them must hold
    std::string pin_file;
    std::string smsc;        ///< service centre, '+' or none and [3, 20] digits; empty: the SIM's own
    unsigned baud = 115200;  ///< [300, 4,000,000]
    int per_minute = 20, per_hour = 200, per_day = 1000, per_month = 0;  ///< parts, [0, 10,000,000], 0 = no limit
    double cost_per_part = 0;                                            ///< [0, 10,000]
    std::string currency = "USD";                                        ///< ISO 4217, three capitals
    std::vector<MessageClass> classes;                                   ///< empty = all
    Balance balance;
    bool reset_usb = true;
    std::string reset_command;
    bool operator==(const Modem&) const = default;
};
struct Route {
    std::string prefix;  ///< '+' and [1, 15] digits
    std::vector<ModemIndex> modems;
    bool operator==(const Route&) const = default;
};
struct Supabase {
    std::string url, key_file, user_file, jwt_file;  ///< exactly one of user_file and jwt_file
    bool realtime = true;
    milliseconds poll{30'000};            ///< [100 ms, 1 h]
    std::optional<milliseconds> horizon;  ///< [0, 30 d]; empty = auto
    std::optional<milliseconds> lease;    ///< [60 s, 7 d]; empty = auto
    std::optional<int> batch;             ///< [1, 1000] rows; empty = auto
    bool operator==(const Supabase&) const = default;
};
struct Webhook {
    std::string url, secret_file;
    bool operator==(const Webhook&) const = default;
};
struct Alarms {
    std::vector<std::string> numbers;  ///< E.164 after parse(); at most 20
    milliseconds no_inbound{0};        ///< [0, 90 d], 0 = off
    bool operator==(const Alarms&) const = default;
};
/// Each [1 h, 3660 d].
struct Retention {
    milliseconds messages{400LL * 86'400'000}, raw_pdus{30LL * 86'400'000}, flight{7LL * 86'400'000}, backups{30LL * 86'400'000};
    bool operator==(const Retention&) const = default;
};
struct Logging {
    int level = 6;
    bool personal_data = false;
    bool operator==(const Logging&) const = default;
};  ///< syslog priority

struct Config {
    Gateway gateway;
    Discovery discovery;
    std::optional<Http> http;
    Send send;
    std::vector<Rule> rules;  ///< of the file; those of the US are in dispatch/places
    OptOut opt_out;
    Analytics analytics;
    std::vector<Modem> modems;
    std::vector<Route> routes;
    std::optional<Supabase> supabase;
    std::optional<Webhook> webhook;
    Alarms alarms;
    Retention retention;
    Logging log;
    bool operator==(const Config&) const = default;
};

struct Problem {
    std::string file;
    int line = 0;
    std::string key;           ///< "send.window"
    std::string message;       ///< what is wrong, what is allowed, "did you mean"
    std::string text() const;  ///< file:line: key: message
};

struct Loaded {
    Config config;
    std::vector<Problem> problems;
    std::vector<Problem> warnings;  ///< it can be used, but does not do what was meant
};                                  ///< usable when `problems` is empty

/// Reads TOML text; collects every problem instead of stopping at the first. `file` is for the problems' text alone.
Loaded parse(std::string_view toml, std::string file);

/// "90s", "5m", "1h", "7d", "250ms", "0s": one whole number of at most 12 digits and one unit.
std::optional<milliseconds> parse_duration(std::string_view text);
/// "09:00-20:00". "00:00-24:00" is always; equal ends are an error, since they could mean always or never.
std::optional<Window> parse_window(std::string_view text);

/// The configuration as JSON, for `config show`. Holds no secret: only names of files.
std::string show(const Config& config);

/// Which top-level sections differ and need a restart, not a reload: gateway, discovery, http, webhook, log, supabase (all but realtime,
/// poll, horizon, lease, batch), send (journal alone), modem (which modems there are, their match, port, baud and PIN file).
std::vector<std::string> needs_restart(const Config& running, const Config& wanted);

/// A PIN of a SIM: 4 to 8 digits (TS 31.101 §9.5.1). Anything else costs a try and is never right.
bool is_pin(std::string_view pin);

/// Path of a secret: an absolute path as it is, else inside `credentials_directory`; empty for an empty name.
std::string secret_path(std::string_view file, std::string_view credentials_directory);

}  // namespace conductor::config
