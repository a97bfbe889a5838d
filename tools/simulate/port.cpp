#include "tools/simulate/port.hpp"

#include <algorithm>

namespace conductor::simulate {

/// The host's end, as long as it has the port open.
struct Port::End {
    explicit End(aio::Executor ex) : readable{std::move(ex)} {}
    std::string waiting;
    bool lost = false, closed = false;
    aio::Event readable;
};

class Port::Stream final : public port::ByteStream {
public:
    Stream(Port& port, std::shared_ptr<End> end) : port_{port}, end_{std::move(end)} {}
    aio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into) override {
        for (;;) {
            if (end_->closed) co_return fail(port::PortErrc::closed, "read");
            if (!end_->waiting.empty()) {
                const std::size_t n = std::min({into.size(), end_->waiting.size(), port_.chunk_});
                std::copy_n(end_->waiting.begin(), n, into.begin());
                end_->waiting.erase(0, n);
                co_return n;
            }
            if (end_->lost) co_return fail(port::PortErrc::lost, "read");
            co_await end_->readable.wait();
        }
    }
    aio::awaitable<Result<void>> write(std::span<const std::uint8_t> octets) override {
        if (end_->closed) co_return fail(port::PortErrc::closed, "write");
        if (end_->lost) co_return fail(port::PortErrc::lost, "write");
        const std::string text{octets.begin(), octets.end()};
        port_.modem_.receive(text);
        co_return Result<void>{};
    }
    void close() override {
        end_->closed = true;
        end_->readable.raise();
        if (port_.end_.lock() == end_) port_.end_.reset();
    }

private:
    Port& port_;
    std::shared_ptr<End> end_;
};

Port::Port(modemsim::SimModem& modem, std::size_t chunk) : modem_{modem}, chunk_{chunk} {
    modem_.on_output = [this](std::string_view octets) { to_host(octets); };
    modem_.on_port = [this] {
        if (on_change) on_change();
        const auto end = end_.lock();
        if (!end || modem_.port_present()) return;
        end->lost = true;
        end->readable.raise();
        end_.reset();
    };
}

void Port::to_host(std::string_view octets) {
    const auto end = end_.lock();
    if (!end || end->closed) return;
    end->waiting.append(octets);
    end->readable.raise();
}

Result<std::unique_ptr<port::ByteStream>> Port::open(aio::Executor executor) {
    if (!plugged()) return fail(port::PortErrc::not_found, name());
    if (denied) return fail(port::PortErrc::denied, name());
    if (taken_by_other || !end_.expired()) return fail(port::PortErrc::busy, name());
    auto end = std::make_shared<End>(std::move(executor));
    end_ = end;
    return std::unique_ptr<port::ByteStream>{std::make_unique<Stream>(*this, std::move(end))};
}

}  // namespace conductor::simulate
