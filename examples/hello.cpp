// example: the C interface from C++17, with handles that release themselves and failures as exceptions.
#include <seqrec.h>
#include <array>
#include <cstdint>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace seqrec {

template <auto Release> struct releaser {
    template <typename Handle> void operator()(Handle *handle) const noexcept
    {
        Release(handle);
    }
};

using context = std::unique_ptr<seqrec_context, releaser<seqrec_context_release>>;
using config = std::unique_ptr<seqrec_config, releaser<seqrec_config_release>>;
using dataset = std::unique_ptr<seqrec_dataset, releaser<seqrec_dataset_release>>;
using model = std::unique_ptr<seqrec_model, releaser<seqrec_model_release>>;
using trainer = std::unique_ptr<seqrec_trainer, releaser<seqrec_trainer_release>>;
using report = std::unique_ptr<seqrec_report, releaser<seqrec_report_release>>;

// Calls `function(arguments..., &error)` and throws what it says when it fails.
template <typename Function, typename... Arguments> void call(Function function, Arguments... arguments)
{
    seqrec_error error = {};
    if (function(arguments..., &error) != SEQREC_OK)
        throw std::runtime_error(std::string(seqrec_status_name(error.status)) + ": " + error.message);
}

// The same for a function whose last parameter but one is the handle it makes.
template <typename Owner, typename Function, typename... Arguments>
Owner make(Function function, Arguments... arguments)
{
    typename Owner::pointer handle = nullptr;
    call(function, arguments..., &handle);
    return Owner(handle);
}

template <typename Struct> Struct sized()
{
    Struct value = {};
    value.struct_size = sizeof value;
    return value;
}

} // namespace seqrec

static std::vector<std::int64_t> best_items(const seqrec_model *model, const std::vector<std::int64_t> &history,
                                            std::int64_t k)
{
    const std::array<std::int64_t, 2> offsets = {0, static_cast<std::int64_t>(history.size())};
    std::vector<std::int64_t> items(static_cast<std::size_t>(k));
    std::int64_t found = 0;
    auto batch = seqrec::sized<seqrec_batch>();
    batch.sequences = 1;
    batch.offsets = offsets.data();
    batch.items = history.data();
    auto filter = seqrec::sized<seqrec_filter>();
    filter.exclude_seen = 1;
    seqrec::call(seqrec_topk, model, &batch, k, &filter, items.data(), static_cast<float *>(nullptr), &found);
    items.resize(static_cast<std::size_t>(found));
    return items;
}

static void run()
{
    const auto context = seqrec::make<seqrec::context>(seqrec_context_create, nullptr, nullptr, 2, nullptr, nullptr);
    const auto config = seqrec::make<seqrec::config>(seqrec_config_create, nullptr);
    seqrec::call(seqrec_config_preset, config.get(), "sasrec-softmax");
    seqrec::call(seqrec_config_set, config.get(), "epochs", "3");

    auto synth = seqrec::sized<seqrec_synth>();
    synth.users = 500;
    synth.items = 150;
    seqrec_dataset *made = nullptr;
    seqrec::call(seqrec_dataset_synthesize, context.get(), &synth, &made, static_cast<seqrec_ceiling *>(nullptr));
    const seqrec::dataset events(made);

    const auto model = seqrec::make<seqrec::model>(seqrec_model_create, context.get(), config.get());
    const auto trainer = seqrec::make<seqrec::trainer>(seqrec_trainer_create, model.get(), config.get());
    seqrec::call(seqrec_trainer_fit, trainer.get(), events.get(), static_cast<seqrec_fit *>(nullptr),
                 static_cast<seqrec_fit_stats *>(nullptr));

    const auto what = seqrec::sized<seqrec_evaluation>();
    const auto report = seqrec::make<seqrec::report>(seqrec_evaluate, context.get(), model.get(), events.get(), &what);
    double hits = 0, low = 0, high = 0;
    seqrec::call(seqrec_report_get, report.get(), "model", "hr@10", &hits, &low, &high);
    std::cout << seqrec_report_protocol(report.get()) << "\nhr@10 " << hits << " [" << low << ", " << high << "]\n";

    std::cout << "after 7, 12, 31:";
    for (const auto item : best_items(model.get(), {7, 12, 31}, 5)) std::cout << ' ' << item;
    std::cout << '\n';
}

int main()
{
    try {
        run();
    } catch (const std::exception &problem) {
        std::cerr << problem.what() << '\n';
        return 1;
    }
    return 0;
}
