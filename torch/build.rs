//! Compiles `src/torch.cpp` against the PyTorch that tch is linked with.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=src/torch.cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let Some(torch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        panic!("set LIBTORCH to the folder of PyTorch that holds `include` and `lib`; see train/README.md");
    };
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        // What it does is call others: quick to compile is worth more.
        .opt_level(1)
        .include(torch.join("include"))
        .include(torch.join("include/torch/csrc/api/include"))
        .file("src/torch.cpp")
        .compile("torch_ops");
    println!("cargo:rustc-link-search=native={}", torch.join("lib").display());
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
}
