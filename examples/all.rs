use token_expiry_exporter::{core::mistake::Text, providers::provider::compile};
fn main(){
 let mut n=0; let mut took=std::time::Duration::ZERO;
 for f in std::env::args().skip(1) { let t=Text::new(f.rsplit('/').next().unwrap(), std::fs::read_to_string(&f).unwrap()); let s=std::time::Instant::now();
  match compile(&t) { Ok(p)=>{n+=p.expressions.len();}, Err(e)=>println!("{e}\n") } took+=s.elapsed(); }
 println!("{n} expressions {took:?}");
}
