//! Every kernel in every variant, as naga reads it: what wgpu does natively, and a browser in its own way.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Module, ScalarKind, TypeInner};

use super::Kernel;
use super::text::{Setting, write};

/// The module, if it is WGSL and sound.
fn read(text: &str) -> Result<Module, String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
    // No capability but the one that every WebGPU has: halves are read into floats.
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32);
    validator.validate(&module).map_err(|error| error.emit_to_string(text))?;
    Ok(module)
}

/// What does not fit between a kernel and the program that launches it.
fn misfit(kernel: Kernel, module: &Module) -> Option<String> {
    let [x, y] = kernel.group();
    match &module.entry_points[..] {
        [main] if main.name == "main" && main.workgroup_size == [x, y, 1] => {}
        other => return Some(format!("not one `main` in groups of {x} × {y}, but {other:?}")),
    }
    let globals = || module.global_variables.iter().map(|(_, variable)| variable);
    let mut bound: Vec<u32> = globals().filter_map(|variable| Some(variable.binding.as_ref()?.binding)).collect();
    bound.sort_unstable();
    if bound.iter().enumerate().any(|(at, &binding)| at as u32 != binding) {
        return Some(format!("bindings with gaps: {bound:?}"));
    }
    let sizes = globals().find(|variable| variable.name.as_deref() == Some("sizes"))?;
    if sizes.binding.as_ref().map(|binding| binding.binding as usize + 1) != Some(bound.len()) {
        return Some("the sizes are not bound last".to_owned());
    }
    let TypeInner::Struct { members, .. } = &module.types[sizes.ty].inner else {
        return Some("the sizes are no struct".to_owned());
    };
    let found: Vec<(String, &str, u32)> = (members.iter())
        .map(|member| {
            let word = match module.types[member.ty].inner.scalar() {
                Some(scalar) if scalar.kind == ScalarKind::Uint => "u32",
                Some(scalar) if scalar.kind == ScalarKind::Float => "f32",
                _ => "neither u32 nor f32",
            };
            (member.name.clone().unwrap_or_default(), word, member.offset)
        })
        .collect();
    let wanted: Vec<(String, &str, u32)> =
        (kernel.fields().iter().zip((0..).step_by(4))).map(|(&(name, word), at)| (name.to_owned(), word, at)).collect();
    (found != wanted).then(|| format!("the sizes are {found:?} there and {wanted:?} here"))
}

#[test]
fn every_kernel_is_sound() {
    let all = Kernel::every();
    let mut names: Vec<&str> = all.iter().map(|kernel| kernel.name()).collect();
    names.dedup();
    println!("{} texts of {names:?}", all.len());
    for kernel in all {
        for shared in [false, true] {
            let text = kernel.source(shared);
            let trouble = match read(&text) {
                Ok(module) => misfit(kernel, &module),
                Err(why) => Some(why),
            };
            assert!(trouble.is_none(), "{kernel:?}, shared {shared}: {}\n{text}", trouble.unwrap_or_default());
        }
    }
}

/// A check that takes anything for WGSL would be worth nothing: each text is broken in turn, in a way of its own.
#[test]
fn a_broken_kernel_is_refused() {
    for kernel in Kernel::every() {
        let text = kernel.source(false);
        for (sound, broken, why) in [
            (";\n", "\n", "a lost semicolon"),
            ("sizes.", "sizes.no_", "a size that there is not"),
            ("y[", "x_y[", "a buffer that there is not"),
            ("let ", "let 0", "a name that is none"),
        ] {
            assert!(text.contains(sound), "{kernel:?} has no {sound:?}");
            assert!(read(&text.replacen(sound, broken, 1)).is_err(), "{kernel:?} is sound with {why}");
        }
        let other = text.replacen("@workgroup_size(", "@workgroup_size(1 + ", 1);
        assert!(read(&other).map_or(true, |module| misfit(kernel, &module).is_some()), "{kernel:?}: other groups");
        let (name, _) = kernel.fields()[0];
        let other =
            read(&text.replace(&format!("{name}:"), "renamed:").replace(&format!("sizes.{name}"), "sizes.renamed"));
        assert!(
            other.map_or(true, |module| misfit(kernel, &module).is_some()),
            "{kernel:?}: another name for `{name}`"
        );
    }
}

#[test]
fn loops_are_written_out_and_lines_chosen() {
    let file = "\
//# for r in ROWS
//# for o in 1..3
let a$r_$o = $ou; // said
//# end
//# end
//# if PAST
past
//# if HELD
held
//# else
not held
//# end
//# else
no past
//# end

// not said
@binding(auto) @binding(auto)";
    let settings = |past, held| {
        [
            ("ROWS", Setting::Count(2)),
            ("PAST", Setting::Flag(past)),
            ("HELD", Setting::Flag(held)),
            ("SCALE", Setting::Number(0.5)),
        ]
    };
    let tiles = "const ROWS = 2u;\nconst SCALE: f32 = 0.5;\nlet a0_1 = 1u; // said\nlet a0_2 = 2u; // said\nlet a1_1 = 1u; // said\nlet a1_2 = 2u; // said\n";
    let text = |past, held| write(&[file], &settings(past, held));
    assert_eq!(text(true, false), format!("{tiles}past\nnot held\n@binding(0) @binding(1)\n"));
    assert_eq!(text(true, true), format!("{tiles}past\nheld\n@binding(0) @binding(1)\n"));
    assert_eq!(text(false, true), format!("{tiles}no past\n@binding(0) @binding(1)\n"));
}
