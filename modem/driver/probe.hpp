#pragma once
// Who is behind a port: asked once, in a dialogue of its own, without a change that a modem would remember.
#include <functional>

#include "modem/at/urc.hpp"
#include "modem/driver/modem.hpp"
#include "modem/port/discover.hpp"
#include "modem/profile/profile.hpp"

namespace conductor::driver {

/// What a port said when it was asked.
struct Probe {
    enum class Answer : std::uint8_t {
        at,      ///< a modem answers
        deaf,    ///< open, but nobody speaks AT: another function of the stick, another device, or a modem that still starts
        busy,    ///< another process holds it
        denied,  ///< no permission
        failed,  ///< it could not be opened; `problem` says why
    };
    Answer answer = Answer::deaf;
    std::string problem;
    Identity who;
    std::string profile;
    std::string sim;                      ///< state of +CPIN: "READY", "SIM PIN"; "absent"; empty when it was not told
    bool sms = false;                     ///< takes the commands of TS 27.005
    bool urcs = false;                    ///< said something unasked
    int score = 0;                        ///< [0, 100]: how well SMS would work on this port; compared within one device
    std::vector<at::Direct> handed_over;  ///< +CMT and +CDS that came meanwhile: the modem may have no copy
};
std::string_view to_string(Probe::Answer answer);

/// Opens `at.name` and asks. A port that does not answer takes `tries` * 1.5 s; one that answers some questions alone, a
/// minute and more.
aio::awaitable<Probe> probe_port(aio::Executor ex, Opener opener, port::Candidate at, unsigned baud, int tries);

/// Runs one command, as Modem::command() does it.
using Ask = std::function<aio::awaitable<Result<AtAnswer>>(std::string line)>;

/// One question of examine() and its answer. `lines` are empty where the modem refused; `result` is "OK" or says why.
struct Finding {
    std::string topic;  ///< "sim", "registration", "storage", "settings", ...
    std::string command;
    std::vector<std::string> lines;
    std::string result;
};
/// All that `conductorctl modem probe` shows above the identity: reads alone.
aio::awaitable<std::vector<Finding>> examine(Ask ask);

/// probe_port(), and examine() on the same open port when a modem answers.
struct Examined {
    Probe probe;
    std::vector<Finding> findings;
};
aio::awaitable<Examined> examine_port(aio::Executor ex, Opener opener, port::Candidate at, unsigned baud);

/// Both name one modem: the first 14 digits (TAC and serial number, TS 23.003 §6.2.1) are equal. Behind them a modem may send the check
/// digit, a 0 in its place, nothing, or the two digits of an IMEISV.
bool same_imei(std::string_view a, std::string_view b);

/// Both name one SIM: one is the other's beginning, of at least 18 digits. Labels and modems leave the check digit out (ITU-T E.118).
bool same_iccid(std::string_view a, std::string_view b);

/// Asks for the ICCID in each form that the profile knows, then for EF-ICCID itself. `ask` gives the lines of an answer, none when refused;
/// its error ends the questions. Empty when none is told.
using AskLines = std::function<aio::awaitable<Result<std::vector<std::string>>>(std::string line)>;
aio::awaitable<Result<std::string>> ask_iccid(const profile::Profile& profile, AskLines ask);

}  // namespace conductor::driver
