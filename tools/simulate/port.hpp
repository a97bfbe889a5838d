#pragma once
// The port of a simulated modem, in memory, with the manners of a tty: octets for nobody are lost, an unplugged device hangs up, only one
// process has it open.
#include <memory>
#include <random>
#include <string>

#include "modem/port/byte_stream.hpp"
#include "tools/modemsim/core/modem.hpp"

namespace conductor::simulate {

class Port {
public:
    /// `chunk`: most octets that one read gives.
    Port(modemsim::SimModem& modem, std::size_t chunk);
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    /// What the daemon opens as "pty:<name>": the modem's link.
    const std::string& name() const { return modem_.link(); }
    bool plugged() const { return modem_.port_present(); }
    Result<std::unique_ptr<port::ByteStream>> open(aio::Executor executor);
    std::function<void()> on_change;  ///< plugged, unplugged, or named otherwise
    bool taken_by_other = false;      ///< another program has it open
    bool denied = false;

private:
    struct End;
    class Stream;
    void to_host(std::string_view octets);
    modemsim::SimModem& modem_;
    std::size_t chunk_;
    std::weak_ptr<End> end_;
};

}  // namespace conductor::simulate
