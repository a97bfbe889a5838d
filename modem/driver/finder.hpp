#pragma once
// Who is where: the one place of a daemon that knows which modem is behind which port. It asks each free port once, keeps what it learnt,
// and gives every configured modem its own; so no two of them open each other's ports, and none is bound to a name that moves.
#include <array>
#include <map>
#include <memory>

#include "modem/driver/probe.hpp"
#include "modem/port/hotplug.hpp"

namespace conductor::driver {

struct FinderOptions {
    std::vector<std::string> scan;   ///< [discovery] scan
    std::vector<std::string> ports;  ///< configured ports, which the scan need not cover: their coming is noticed too
    bool hotplug = true;             ///< false: refresh() is called instead (simulation, tests)
    Opener opener = {};              ///< port::open_port when empty
    /// port::candidates(scan) when empty
    std::function<std::vector<port::Candidate>()> candidates = {};
};

/// What is known of one port.
struct PortReport {
    port::Candidate at;
    bool probed = false;
    Probe found;                      ///< when probed
    std::optional<ModemIndex> modem;  ///< who uses it
    std::optional<ModemIndex> meant;  ///< the configured modem that its identity fits
    bool quietened = false;           ///< a secondary port of a stick in use, kept open and drained
};

class Finder {
public:
    Finder(aio::Executor ex, Log log, FinderOptions options);
    ~Finder();

    /// Until stop(). Costs nothing while every modem has its port.
    aio::awaitable<void> run();
    void stop();

    /// A modem that wants a port, or has one by its configuration. `changed` is called whenever asking place() again may help.
    void join(const ModemSettings& settings, std::function<void()> changed);
    void leave(ModemIndex index);
    /// Where of a not_found: nothing fits, but a SIM is here that asks for its PIN and does not tell whose it is.
    static constexpr const char* locked_sim = "locked-sim";
    /// The port of this modem, as far as it is known now; reserved for it until opened() or released(). An identity that the configuration
    /// names decides, wherever it is found; `usb` and `port` alone bind to that place. Errors: not_found (still searching), busy, denied
    /// (a port where it may be cannot be looked into; the place is its name).
    Result<std::string> place(ModemIndex index);
    /// The modem has opened this port.
    void opened(ModemIndex index, const std::string& name);
    /// What the modem behind the port says of itself, at its bring-up and whenever its SIM changed.
    void learnt(ModemIndex index, const Identity& identity);
    enum class Release : std::uint8_t {
        closed,
        silent,  ///< it did not answer: it is here still, unless it answers elsewhere
        gone,    ///< the device hung up, so that what was known of it is void
    };
    /// The modem has closed its port.
    void released(ModemIndex index, Release why);
    /// The configured port holds another modem, or is not there: this one is looked for everywhere.
    void search(ModemIndex index);

    /// bInterfaceNumber of the port that this modem uses; -1 where it has none.
    int interface_of(ModemIndex index);

    /// What a modem handed over while its port was asked who it is, or another port of its device; taken once.
    std::vector<at::Direct> take_handed_over(ModemIndex index, const std::string& imei);

    /// Looks at the ports of this machine now.
    void refresh();
    std::vector<PortReport> report() const;
    /// Asks every free port again and waits for the answers, at most 20 s.
    aio::awaitable<std::vector<PortReport>> survey();
    /// The modem that uses the port of this name.
    std::optional<ModemIndex> user_of(const std::string& name) const;
    /// Examines a port that no modem uses.
    aio::awaitable<Result<Examined>> examine_free(std::string name);
    std::uint64_t probes() const { return probes_; }  ///< since the start

private:
    /// A port that is kept open and read for its own sake.
    struct Drain {
        std::unique_ptr<port::ByteStream> stream;
        bool stopped = false;
    };
    enum class Knowledge : std::uint8_t { none, asking, known };
    struct Entry {
        port::Candidate at;
        Knowledge knowledge = Knowledge::none;
        Probe found;
        Instant seen{}, ask_at{};  ///< first seen; not to be asked before
        int fruitless = 0;         ///< questions without an answer, in a row
        int early = 0;             ///< answers in a row before the SIM told all
        bool silent = false;       ///< it said all of `found` once, and says nothing now: still the modem's place, unless it is elsewhere
        bool settled = false;      ///< its stick has shown all of its ports, as far as time tells
        std::optional<ModemIndex> modem;
        std::shared_ptr<Drain> drained;
        int hang_ups = 0;              ///< of the drained port, soon after it was opened, in a row
        std::uint64_t generation = 0;  ///< of what is known: an answer to an older question is void
    };
    struct Seeker {
        ModemSettings settings;
        std::function<void()> changed;
        bool searching = false, has_port = false;
        std::string port_path;  ///< what it has open, links resolved
    };

    bool named(const ModemSettings& s) const { return !s.imei.empty() || !s.iccid.empty() || !s.imsi.empty(); }
    bool locked_but_known(const ModemSettings& s, const Entry& e) const;
    bool fits(const ModemSettings& s, const Entry& e) const;
    int preference(const ModemSettings& s, const Entry& e) const;
    bool may_ask(const Entry& e) const;
    bool somebody_searches() const;
    bool device_is_silent(const Entry& e) const;
    bool siblings_still_asked(const Entry& e) const;
    void forget(Entry& e);
    void tell_all();
    void on_hotplug();
    Entry* entry_of(ModemIndex index);
    void start_probes();
    aio::awaitable<void> probe(port::Candidate at, std::uint64_t generation, unsigned baud);
    void store(const std::string& path, std::uint64_t generation, Probe found);
    bool flooded(const Entry& e) const;
    void quieten(const Entry& chosen);
    void quieten_one(Entry& e);
    aio::awaitable<void> drain(std::string path, std::string name, std::shared_ptr<Drain> self);
    void stop_draining(Entry& e);
    void keep_handed_over(const std::string& whose, std::vector<at::Direct> pdus);
    unsigned baud_for(const Entry& e) const;
    Instant next_look() const;

    aio::Executor ex_;
    Log log_;
    FinderOptions options_;
    aio::Event wake_, idle_;
    std::unique_ptr<port::Hotplug> hotplug_;
    std::map<std::string, Entry> entries_;  ///< by device path
    std::map<ModemIndex, Seeker> seekers_;
    int probing_ = 0, draining_ = 0;  ///< coroutines under way
    std::uint64_t probes_ = 0, generations_ = 0;
    std::map<std::string, std::vector<at::Direct>> handed_over_;  ///< by IMEI, or by device where that is not known
    bool stopping_ = false, survey_ = false;
};

}  // namespace conductor::driver
