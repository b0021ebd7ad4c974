//! The int8 kernels against an f64 computation, on the CPU and, with `--features webgpu`, on whatever wgpu finds.
//! `SHOWO_REQUIRE_GPU=1` turns a missing GPU from a skip into a failure.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use showo::bundle::block::quantize;
use showo::check::self_test::{SHAPES, SelfTestRow, self_test, time_linear};
use showo::ops::{After, Q8Tensor, Weight};

/// Waits for a future on this thread; only native tests may.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn check(device: &Device) {
    let table = wait(self_test(device)).unwrap();
    for SelfTestRow { what, rows, inputs, out, max_relative_error, gflops } in &table {
        println!("{what:>7} {rows:>4} x {inputs:>4} x {out:>4}: off by {max_relative_error:.1e}, {gflops:.1} GFLOP/s");
    }
    assert!(table.len() > SHAPES.len());
}

fn print_speed(device: &Device, shapes: &[[usize; 3]]) {
    for &shape in shapes {
        let gflops = wait(time_linear(shape, device, 1.0)).unwrap();
        let [rows, inputs, out] = shape;
        println!("q8_linear {rows} x {inputs} x {out}: {gflops:.1} GFLOP/s, f32 {:.1}", burn_f32(shape, device));
    }
}

/// burn's own product of the same shape in f32, in GFLOP/s.
fn burn_f32([rows, inputs, out]: [usize; 3], device: &Device) -> f64 {
    let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, device);
    let (x, w) = (ones([rows, inputs]), ones([inputs, out]));
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 1.0 {
        let start = Instant::now();
        let y = x.clone().matmul(w.clone());
        wait(y.slice([0..1, 0..1]).into_data_async()).unwrap();
        best = best.min(start.elapsed().as_secs_f64());
    }
    2e-9 * (rows * inputs * out) as f64 / best
}

#[test]
fn cpu() {
    check(&Device::flex());
}

#[test]
#[ignore = "a measurement: cargo test --release --test quant_kernels -- --ignored --nocapture"]
fn cpu_speed() {
    print_speed(&Device::flex(), &[[128, 512, 2048], [1, 512, 2048], [4, 512, 2048], [640, 192, 768]]);
}

#[cfg(feature = "webgpu")]
mod gpu {
    use super::*;

    /// The first wgpu device, or `None` with a word about it. Asked for once: a second initialization is an error.
    fn device() -> Option<Device> {
        static DEVICE: std::sync::OnceLock<Option<Device>> = std::sync::OnceLock::new();
        let device = DEVICE.get_or_init(|| match wait(Device::wgpu_options().init_async()) {
            Ok(device) => Some(device),
            Err(e) => {
                println!("no wgpu device: {e:?}");
                None
            }
        });
        if device.is_none() {
            assert!(
                std::env::var_os("SHOWO_REQUIRE_GPU").is_none_or(|v| v != "1"),
                "SHOWO_REQUIRE_GPU=1, but no device"
            );
            println!("skipped: there is no GPU here, not even a software one");
        }
        device.clone()
    }

    #[test]
    fn kernels() {
        if let Some(device) = device() {
            check(&device);
        }
    }

    #[test]
    #[ignore = "a measurement"]
    fn speed() {
        if let Some(device) = device() {
            print_speed(&device, &[[128, 512, 2048], [1, 512, 2048], [4, 512, 2048]]);
        }
    }
}

/// It has to live inside the models.
#[derive(Module, Debug)]
struct Layer {
    weight: Q8Tensor,
}

fn layer(device: &Device) -> Layer {
    let values: Vec<f32> = (0..7 * 40).map(|i| (i as f32).sin()).collect();
    let weight = quantize(&values, 7, 40).unwrap();
    Layer { weight: Q8Tensor::from_quantized(&weight, device).unwrap() }
}

#[test]
fn is_a_module() {
    let device = Device::flex();
    let layer = layer(&device).clone().to_device(&device).valid();
    assert_eq!(layer.num_params(), 0, "constants are not parameters");
    assert!(format!("{layer:?}").contains("Q8Tensor"));
    assert_eq!(layer.weight.bytes(), 7 * 64 + 7 * 4);
    let back = wait(layer.weight.dequantize().into_data_async()).unwrap().try_to_vec::<f32>().unwrap();
    assert!((back[41] - 41f32.sin()).abs() < 0.005);
}

#[test]
fn blocks_from_outside_are_checked() {
    let device = Device::flex();
    assert!(Q8Tensor::new(&[1; 10], &[half::f16::ONE; 2], 2, 5, &device).is_ok());
    assert!(Q8Tensor::new(&[1; 10], &[half::f16::ONE; 3], 2, 5, &device).is_err());
    assert!(Q8Tensor::new(&[-128; 10], &[half::f16::ONE; 2], 2, 5, &device).is_err());
}

#[test]
#[should_panic(expected = "row 7 of a weight with 7 rows")]
fn an_id_past_the_end_is_named() {
    let device = Device::flex();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(vec![7i32], [1]), (&device, DType::I32));
    layer(&device).weight.gather_rows(ids);
}

#[test]
#[should_panic(expected = "no gradient")]
fn autodiff_is_refused() {
    let device = Device::flex().autodiff();
    let _ = showo::ops::linear(Tensor::ones([1, 40], &device), Weight::Q8(&layer(&device).weight), After::default());
}
