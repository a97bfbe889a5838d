#pragma once
// `conductorctl doctor`: what is wrong with this box, why one may think so, and what to do. A list of small functions of facts.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "tools/conductorctl/session.hpp"

namespace conductor::ctl {

enum class Verdict { pass, warn, fail };
std::string_view to_string(Verdict verdict);

struct Checked {
    std::string check;  ///< stable word: "daemon", "database", "modem-0" ...
    Verdict verdict = Verdict::pass;
    std::string cause;     ///< a sentence: what is so
    std::string evidence;  ///< where it was seen: a value, a file, an answer
    std::string remedy;    ///< what to do; empty when nothing is to be done
};

/// What the checks look at, gathered once. What the daemon would have said is empty when it is not reachable.
struct Facts {
    std::string config_file;
    std::optional<config::Config> config;  ///< empty when it cannot be read or has problems
    std::vector<config::Problem> problems;
    std::string unreadable;  ///< why the configuration could not be read
    std::string socket, unreachable;
    nlohmann::json status, health, modems, sync;  ///< answers of the daemon; null without one
    bool root = false;                            ///< only root sees who holds a port
    std::filesystem::path top = "/";              ///< of the files that are looked at; a test has its own

    bool daemon() const { return unreachable.empty(); }
};

/// A number or a text of an answer; `otherwise`, or none, where it is absent or something else.
double number(const nlohmann::json& object, const char* name, double otherwise = 0);
std::string text(const nlohmann::json& object, const char* name);

/// Appends at least one verdict, or nothing where it does not apply.
using Check = void (*)(const Facts& facts, std::vector<Checked>& out);

// doctor_box.cpp
void check_config(const Facts&, std::vector<Checked>&);
void check_daemon(const Facts&, std::vector<Checked>&);
void check_clock(const Facts&, std::vector<Checked>&);
void check_database(const Facts&, std::vector<Checked>&);
void check_disk(const Facts&, std::vector<Checked>&);
void check_consent(const Facts&, std::vector<Checked>&);
void check_supabase(const Facts&, std::vector<Checked>&);
void check_udev(const Facts&, std::vector<Checked>&);
void check_units(const Facts&, std::vector<Checked>&);
// doctor_modems.cpp
void check_modems(const Facts&, std::vector<Checked>&);
void check_ports(const Facts&, std::vector<Checked>&);
void check_modem_manager(const Facts&, std::vector<Checked>&);
void check_portless(const Facts&, std::vector<Checked>&);

/// All of them, in the order of the report.
std::vector<Checked> examine_box(const Facts& facts);

/// Gathers, examines, prints; 1 when a check fails.
int doctor(Session& session, const std::string& socket, const std::string& config_file);

}  // namespace conductor::ctl
