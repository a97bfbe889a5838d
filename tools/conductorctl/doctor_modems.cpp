// The modems, and the ports that they should be behind.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "modem/port/discover.hpp"
#include "modem/port/holders.hpp"
#include "modem/profile/stick_state.hpp"
#include "tools/conductorctl/doctor.hpp"

namespace conductor::ctl {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr double storage_alarm = 0.7;
constexpr int weak_dbm = -107;

int integer(const json& object, const char* name) {
    return static_cast<int>(number(object, name));
}

/// "ModemManager (pid 615)" of everybody who has the node open.
std::string holders_text(const std::string& node) {
    std::string all;
    for (const port::Holder& h : port::holders_of(node).all)
        all += fmt::format("{}{} (pid {}{})", all.empty() ? "" : ", ", h.program, h.pid, h.locked ? ", with a lock" : "");
    if (all.empty())
        if (const pid_t pid = port::lock_file_owner(node)) all = fmt::format("the lock file of pid {}", pid);
    return all;
}

/// The port of an error's sentence: who holds it, as far as we may see.
std::string busy_evidence(const Facts& facts, const std::string& port) {
    const auto at = port::candidate(port);
    const std::string held = at ? holders_text(at->path) : std::string{};
    if (!held.empty()) return port + ": " + held;
    return port + (facts.root ? ": nobody has it open any more" : ": run doctor as root to see who");
}

/// What to do in a state that the driver names. The words are its own (ModemStatus::reason).
struct StateRow {
    std::string_view reason;
    Verdict verdict;
    std::string_view remedy;
};
constexpr StateRow states[] = {
    {"no-port", Verdict::fail, "Plug it in; `conductorctl modem discover` shows what is there; dmesg tells of power and cables."},
    {"port-busy", Verdict::fail, "Stop that program; for ModemManager install the udev rules, or systemctl disable --now ModemManager."},
    {"port-hung", Verdict::fail,
     "Unplug the modem and plug it in again, on a hub with its own power; enable conductor-reset@.path for the next time."},
    {"port-denied", Verdict::fail, "The port's group must be conductor (udev rules), and DeviceAllow of the unit must name its kind."},
    {"port-hangs-up", Verdict::fail,
     "See to what is behind the port: the terminal server's own line or device, its power, its other users."},
    {"wrong-modem", Verdict::fail, "Name this modem in match, or plug in the one that is named."},
    {"wrong-sim", Verdict::fail, "Put the named SIM in, or correct match.iccid."},
    {"sim-changed", Verdict::fail,
     "If the swap was meant: its PIN into pin_file and reload, then `conductorctl modem accept-sim I`; else put the old SIM back."},
    {"sim-absent", Verdict::fail, "Put a SIM in, or re-seat it; some sticks see it only after a power cycle."},
    {"sim-failure", Verdict::fail, "Re-seat or replace the SIM."},
    {"sim-busy", Verdict::fail, "Wait: it is switched off and on by itself. If this stays, re-seat or replace the SIM."},
    {"sim-unread", Verdict::fail, "Re-seat the SIM; if it never tells what match names, name imei, usb or port instead."},
    {"pin-needed", Verdict::fail, "Name the PIN's file in pin_file of this modem."},
    {"pin-refused", Verdict::fail,
     "Enter the right PIN by hand (`conductorctl modem at I 'AT+CPIN=\"...\"'`) and correct pin_file; none is tried before."},
    {"pin-last-try", Verdict::fail, "One try is left: enter the PIN by hand, in a telephone."},
    {"puk-needed", Verdict::fail, "Enter the PUK by hand, in a telephone; it is never tried from here."},
    {"locked", Verdict::fail, "The device asks for a code that is not the SIM's PIN: ask its seller."},
    {"unregistered", Verdict::fail, "Check antenna, plan and roaming; other modems of the place tell whether it is the network."},
    {"mute", Verdict::fail, "Power the modem off and on; check its cable and its supply."},
    {"boot-loop", Verdict::fail, "Give it a supply of 2 A with short thick wires; then look at its firmware."},
    {"restarting", Verdict::warn, "Wait a minute."},
    {"disabled", Verdict::warn, "`conductorctl modem enable I`."},
};

void check_state(const Facts& facts, const json& m, const std::string& name, std::vector<Checked>& out) {
    const std::string state = text(m, "state"), reason = text(m, "reason"), port = text(m, "port");
    if (state == "ready" || state == "sending") {
        out.push_back(
            {name, Verdict::pass, fmt::format("{} on {}, {}.", text(m, "model"), port, text(m, "operator")), "state " + state, ""});
        return;
    }
    std::string remedy = "`conductorctl modem show` and `modem trace` say more.";
    Verdict verdict = state == "opening" ? Verdict::warn : Verdict::fail;
    for (const StateRow& row : states)
        if (row.reason == reason) {
            verdict = row.verdict;
            remedy = row.remedy;
        }
    std::string seen = fmt::format("state {}{}{}", state, reason.empty() ? "" : ", " + reason, port.empty() ? "" : ", " + port);
    if (reason == "port-busy") seen = busy_evidence(facts, port);
    const std::string sentence = text(m, "reason_text");
    out.push_back({name, verdict, sentence.empty() ? "Not ready: " + state + "." : sentence, seen, remedy});
}

void check_storage(const json& m, const std::string& name, std::vector<Checked>& out) {
    for (const json& memory : m.value("storage", json::array())) {
        const int used = integer(memory, "used"), total = integer(memory, "total");
        if (total == 0 || used < storage_alarm * total) continue;
        out.push_back({name + "-storage", used >= total ? Verdict::fail : Verdict::warn,
                       used >= total ? "A message memory is full: nothing more can arrive."
                                     : "A message memory fills: messages are not taken out of it.",
                       fmt::format("{}: {} of {}", text(memory, "memory"), used, total),
                       "See the daemon's log for what it could not store or delete; AT+CMGD=1,3 deletes what was read and sent."});
    }
}

/// Registered for data, and refused for calls and SMS: the plan or the bearer is what needs a person (FIELD rows 32, 33, 43).
void check_registration(const json& m, const std::string& name, std::vector<Checked>& out) {
    const std::string reason = text(m, "reason");
    if (reason == "unregistered" && integer(m, "registration") == 3)
        out.push_back({name + "-plan", Verdict::warn, "The network denies this SIM.", "AT+CREG? gives 3",
                       "A data or CAT-M plan without SMS does this: AT+CGREG? and AT+CEREG? show 1 or 5 then. Ask the operator for SMS on "
                       "the plan."});
    if (reason == "unregistered" && integer(m, "registration") == 2)
        out.push_back({name + "-network", Verdict::warn, "It searches without end.", "AT+CREG? gives 2",
                       "Try another radio technology (`conductorctl modem at I 'AT+COPS=0,,,0'` for GSM), another place of the antenna, "
                       "another SIM."});
}

/// What the daemon itself would try next, and leaves to a person.
void check_advice(const json& m, const std::string& name, std::vector<Checked>& out) {
    for (const json& advice : m.value("advice", json::array()))
        if (advice.is_object())
            out.push_back({name + "-advice", Verdict::warn, "The daemon proposes something that a person must decide.",
                           text(advice, "code"), text(advice, "text")});
}

void check_health(const json& m, const std::string& name, std::vector<Checked>& out) {
    const auto signal = m.find("signal_dbm");
    if (signal != m.end() && signal->is_number() && signal->get<int>() <= weak_dbm)
        out.push_back(
            {name + "-signal", Verdict::warn, "The signal is weak.", fmt::format("{} dBm", signal->get<int>()), "Move the antenna."});
    if (text(m, "state") == "ready" && text(m, "smsc").empty())
        out.push_back({name + "-smsc", Verdict::warn, "No service centre is set: the network refuses every submission (CMS 330).",
                       "AT+CSCA?", "Set smsc of this modem, or AT+CSCA once with the operator's number."});
    if (const int cuts = integer(m, "brown_outs"); cuts > 0)
        out.push_back({name + "-power", Verdict::fail, "The modem lost its power while in use.",
                       fmt::format("{} brown-outs since the start", cuts),
                       "Give it a supply of 2 A with short thick wires, a powered USB hub, or a capacitor at its pins."});
    else if (const int boots = integer(m, "boots_seen"); boots > 3)
        out.push_back({name + "-restarts", Verdict::warn, "The modem restarts by itself.", fmt::format("{} restarts seen", boots),
                       "The power supply is the usual reason: a powered hub, shorter cables."});
    if (integer(m, "resets") > 2 || (!text(m, "rung").empty() && text(m, "rung") != "none"))
        out.push_back({name + "-recovery", Verdict::warn, "The modem needed recovery.",
                       fmt::format("{} resets, rung {}", integer(m, "resets"), text(m, "rung")),
                       "`conductorctl modem trace` shows what it said before."});
    if (const std::string resting = text(m, "resting"); !resting.empty())
        out.push_back({name + "-sim", Verdict::fail, "The network refuses this SIM again and again; it rests.", resting,
                       "Check balance and plan with the operator; `conductorctl modem enable I` ends the rest."});
}

}  // namespace

void check_modems(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.daemon() || !facts.modems.is_array()) return;
    for (const json& m : facts.modems) {
        if (!m.is_object()) continue;
        const std::string name = fmt::format("modem-{}", integer(m, "index"));
        check_state(facts, m, name, out);
        check_registration(m, name, out);
        check_advice(m, name, out);
        check_storage(m, name, out);
        check_health(m, name, out);
    }
}

/// Without the daemon: is each configured port there, may the service open it, does somebody hold it?
void check_ports(const Facts& facts, std::vector<Checked>& out) {
    if (facts.daemon() || !facts.config) return;
    for (const config::Modem& modem : facts.config->modems) {
        if (modem.port.empty() || modem.port.starts_with("tcp:")) continue;
        const std::string name = fmt::format("modem-{}", modem.index);
        const auto at = port::candidate(modem.port);
        if (!at) {
            out.push_back({name, Verdict::fail, "Its port is not there.", at.error().text(),
                           "Plug the modem in; `conductorctl modem discover` shows what is there."});
            continue;
        }
        const std::string held = holders_text(at->path);
        if (!held.empty())
            out.push_back({name, Verdict::fail, "Another process holds its port.", at->path + ": " + held,
                           "Stop that program before the daemon starts."});
        else if (::access(at->path.c_str(), R_OK | W_OK) != 0)
            out.push_back({name, Verdict::warn, "You may not open its port; the service may not either, unless its group owns it.",
                           at->path + ": " + std::strerror(errno), "ls -l it: the group must be conductor (udev rules)."});
        else
            out.push_back({name, Verdict::pass, "Its port is there and free.", at->path, ""});
    }
}

/// Sticks that show no serial port in their present state.
void check_portless(const Facts& facts, std::vector<Checked>& out) {
    for (const port::PortlessDevice& device : port::portless_devices(facts.top / "sys")) {
        const auto state = profile::stick_state(device.vendor_id, device.product_id, device.product, device.classes);
        if (!state) continue;
        out.push_back({"usb-" + device.device, Verdict::warn,
                       "A modem stick without an AT port is plugged in (" + std::string{state->state} + ").",
                       device.vendor_id + ":" + device.product_id, state->text});
    }
}

/// Other programs that speak to modems: they read the messages first, also through the QMI or MBIM channel of the same stick.
void check_modem_manager(const Facts& facts, std::vector<Checked>& out) {
    constexpr std::array<std::string_view, 7> rivals = {"ModemManager", "gammu-smsd", "smsd",     "wvdial",
                                                        "ofonod",       "mbim-proxy", "qmi-proxy"};
    std::error_code ec;
    std::string running;
    for (fs::directory_iterator it{facts.top / "proc", ec}, end; !ec && it != end; it.increment(ec)) {
        std::ifstream in{it->path() / "comm"};
        std::string name;
        std::getline(in, name);
        for (const std::string_view rival : rivals)
            if (name == rival) running += (running.empty() ? "" : ", ") + name + " (pid " + it->path().filename().string() + ")";
    }
    std::string siblings;
    for (const port::Candidate& at : port::candidates({"serial"}))
        for (const std::string& node : port::control_nodes(at.usb))
            if (const std::string held = holders_text(node); !held.empty() && siblings.find(node) == std::string::npos)
                siblings += (siblings.empty() ? "" : ", ") + node + ": " + held;
    if (!siblings.empty())
        out.push_back({"sms-rivals", Verdict::fail, "Another program holds the control channel of a modem; it may take the messages first.",
                       siblings, "Stop it, or keep it away by udev (ID_MM_DEVICE_IGNORE)."});
    else if (!running.empty())
        out.push_back({"sms-rivals", Verdict::warn, "Another program that uses modems runs; it must leave ours alone.", running,
                       "Install the udev rules (ID_MM_DEVICE_IGNORE), or stop it."});
    else
        out.push_back({"sms-rivals", Verdict::pass, "No other program that uses modems runs.", "/proc", ""});
}

}  // namespace conductor::ctl
