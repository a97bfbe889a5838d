#pragma once
// The configuration as a value: every key of CONTRACT part 3, its default and its limits. Nothing here opens a file.
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
    std::string id, pool = "main";
    std::string database = "/var/lib/conductor/conductor.db";
    std::string socket = "/run/conductor/control.sock";
    std::string region = "US", time_zone = "America/Los_Angeles";
    std::int64_t queue_limit = 1'000'000;
    bool operator==(const Gateway&) const = default;
};
struct Discovery {
    std::vector<std::string> scan = {"serial"};
    bool operator==(const Discovery&) const = default;
};
struct Http {
    std::string listen, token_file, tls_cert_file, tls_key_file;
    bool operator==(const Http&) const = default;
};
struct Retry {
    milliseconds first{30'000};
    double factor = 2.0;
    milliseconds max{3'600'000};
    double jitter = 0.2;
    bool operator==(const Retry&) const = default;
};
enum class Late : std::uint8_t { next_window, expire };
enum class Journal : std::uint8_t { host, modem };
struct Send {
    Window window;
    Days days = 0b0111111;
    std::vector<Date> holidays;
    int max_attempts = 5;
    Retry retry;
    milliseconds expire_after{24 * 3'600'000};
    Late late = Late::next_window;
    bool delivery_reports = true;
    std::array<OnUnknown, 3> on_unknown = {OnUnknown::hold, OnUnknown::hold, OnUnknown::hold};  ///< by MessageClass
    Journal journal = Journal::host;
    bool transliterate = false;
    std::vector<std::uint8_t> national_tables;  ///< language ids of TS 23.038 §6.2.1.2.4, 1-13
    int max_segments = 10;
    milliseconds per_recipient_gap{5 * 60'000};
    int per_recipient_day = 1, per_recipient_week = 3;  ///< 0 = no limit
    milliseconds duplicate_window{24 * 3'600'000};      ///< 0 = off
    int daily_budget = 0;
    std::vector<std::string> countries = {"US"};
    bool operator==(const Send&) const = default;
};
/// Stricter law of a place: an absent field does not bind.
struct Rule {
    std::string state;
    std::optional<Window> window;
    std::optional<Days> days;
    std::vector<Date> holidays;
    std::optional<int> per_day;
    bool operator==(const Rule&) const = default;
};
struct OptOut {
    bool require_consent = true;
    std::string brand;
    std::vector<std::string> stop = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT"};
    std::vector<std::string> start = {"START", "UNSTOP"};
    std::vector<std::string> help = {"HELP", "INFO"};
    std::string confirm = "{brand}: you are unsubscribed and get no more messages. Reply START to resume.";
    std::string help_text = "{brand}: reply STOP to end.";
    std::string start_text = "{brand}: you are subscribed again. Reply STOP to end.";
    bool operator==(const OptOut&) const = default;
};
struct Weights {
    double urgency = 35, value = 25, campaign = 15, response = 25, fatigue = -10;
    bool operator==(const Weights&) const = default;
};
struct Analytics {
    Weights weights;
    int vip = 16, regular = 6, casual = 2;
    int churn_medium = 30, churn_high = 60, churn_critical = 90;
    bool operator==(const Analytics&) const = default;
};
struct Balance {
    std::string ussd, pattern;
    milliseconds every{24 * 3'600'000};
    double low = 0;
    bool operator==(const Balance&) const = default;
};
struct Modem {
    ModemIndex index = 0;
    std::string imei, iccid, imsi, usb, port;  ///< match
    std::string pin_file;
    unsigned baud = 115200;
    int per_minute = 20, per_hour = 200, per_day = 1000, per_month = 0;  ///< parts, 0 = no limit
    double cost_per_part = 0;
    std::string currency = "USD";
    std::vector<MessageClass> classes;  ///< empty = all
    Balance balance;
    bool reset_usb = true;
    std::string reset_command;
    bool operator==(const Modem&) const = default;
};
struct Route {
    std::string prefix;
    std::vector<ModemIndex> modems;
    bool operator==(const Route&) const = default;
};
struct Supabase {
    std::string url, key_file, user_file, jwt_file;
    bool realtime = true;
    milliseconds poll{30'000};
    std::optional<milliseconds> horizon, lease;  ///< empty = auto
    std::optional<int> batch;                    ///< empty = auto
    bool operator==(const Supabase&) const = default;
};
struct Webhook {
    std::string url, secret_file;
    bool operator==(const Webhook&) const = default;
};
struct Alarms {
    std::vector<std::string> numbers;
    milliseconds no_inbound{0};
    bool operator==(const Alarms&) const = default;
};
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
};  ///< usable when `problems` is empty

/// Reads TOML text; collects every problem instead of stopping at the first. `file` is for the problems' text alone.
Loaded parse(std::string_view toml, std::string file);

/// "90s", "5m", "1h", "7d", "250ms", "0s".
std::optional<milliseconds> parse_duration(std::string_view text);
/// "09:00-20:00".
std::optional<Window> parse_window(std::string_view text);

/// The configuration as JSON, for `config show`. Holds no secret: only names of files.
std::string show(const Config& config);

/// Which top-level sections differ and need a restart; the others can be reloaded.
std::vector<std::string> needs_restart(const Config& running, const Config& wanted);

/// Path of a secret: an absolute path as it is, else inside `credentials_directory`.
std::string secret_path(std::string_view file, std::string_view credentials_directory);

}  // namespace conductor::config
