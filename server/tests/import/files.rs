//! Small source files, invented: every trap of the real ones, and nobody in them.

use std::path::{Path, PathBuf};

pub const TUSS: &str =
    "\u{feff}codigo,termo,inicio_vigencia,fim_vigencia,vigente,n_versoes,capitulo_rol2021,dv_mod11_ok
10101012,Consulta em consultório,2009-02-13,,1,1,PROCEDIMENTOS GERAIS,1
30101417,\"Esfoliação química, superficial\",2009-02-13,,1,1,,1
10101013,Termo com dígito trocado,2009-02-13,,1,1,PROCEDIMENTOS GERAIS,0
30502284,Termo que já não vale,2009-02-13,2017-07-09,0,1,,1
10101012,Consulta repetida,2010-01-01,,1,1,PROCEDIMENTOS GERAIS,1
,Sem código,2010-01-01,,1,1,,1
30101859,Um campo a mais,2009-02-13,,1,1,,1,x
AB12,Código próprio,2009-02-13,,1,1,,1
";

pub const PRODUCTS: &str = "registro,processo,nome_tecnico,classe_risco,nome_comercial,cnpj_detentor,detentor,fabricante,pais_fabricante,dt_publicacao,validade,dt_carga
80000000001,25351000001202001,Curativo,I,CURATIVO FICTÍCIO,11222333000181,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,01/02/2020,VIGENTE,07/01/2020
80000000001,25351000001202001,Curativo,I,CURATIVO FICTÍCIO,11222333000181,DETENTORA FICTÍCIA,FABRICA DOIS,BRASIL,01/02/2020,VIGENTE,07/01/2020
8000000002,25351000002202001,Agulha,II,AGULHA\tFICTÍCIA\t\t,11222333000181,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,,VIGENTE,07/01/2020
80000000003,25351000003202001,Laser,III,LASER FICTÍCIO,11222333000182,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,01/02/2020,01/01/2021,07/01/2020
7,25351000004202001,Gel,I,GEL FICTÍCIO,11222333000181,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,01/02/2020,VIGENTE,07/01/2020
80000000003,25351000003202001,Laser,III,LASER FICTÍCIO,11222333000182,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,01/02/2020,01/01/2021,07/01/2020
80000000005,25351000005202001,Sem nome,I,,11222333000181,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,01/02/2020,VIGENTE,07/01/2020
";

pub const AESTHETIC: &str = "categoria_derivada,registro,processo,nome_tecnico,classe_risco,nome_comercial,cnpj_detentor,detentor,fabricante,pais_fabricante,dt_publicacao,validade,dt_carga
laser_luz,80000000003,25351000003202001,Laser,III,LASER FICTÍCIO,11222333000182,DETENTORA FICTÍCIA,FABRICA UM,BRASIL,01/02/2020,01/01/2021,07/01/2020
";

const HEADER: &str = "PatientId,AppointmentID,Gender,ScheduledDay,AppointmentDay,Age,Neighbourhood,Scholarship,Hipertension,Diabetes,Alcoholism,Handcap,SMS_received,No-show\n";

/// Rows after the header, from line 2.
const VISITS: &str = "100000,1,F,2016-04-27T15:05:12Z,2016-04-29T00:00:00Z,40,PRAIA GRANDE,0,0,0,0,0,1,No
1E5,2,M,2016-04-27T15:05:12Z,2016-04-29T00:00:00Z,30,PRAIA GRANDE,0,1,0,0,0,0,Yes
100000,3,F,2016-04-29T09:31:00Z,2016-04-29T00:00:00Z,40,PRAIA GRANDE,0,0,0,0,0,0,No
200,4,F,2015-11-10T07:13:56Z,2016-05-02T00:00:00Z,-1,PRAIA GRANDE,0,0,0,0,0,0,No
300,5,X,2016-05-03T07:00:00Z,2016-05-02T00:00:00Z,116,PRAIA GRANDE,0,0,0,0,0,0,No
100000,6,F,2016-04-27T15:05:12Z,2016-04-29T00:00:00Z,40,PRAIA GRANDE,0,0,0,0,0,0,No
100000,7,F,2016-05-01T10:00:00Z,2016-05-04T00:00:00Z,47,ALTO DO ROSÁRIO,0,0,0,0,0,0,No
400,7,F,2016-05-01T10:00:00Z,2016-05-04T00:00:00Z,20,ALTO DO ROSÁRIO,0,0,0,0,0,0,No
400,8,F,2016-05-01T10:00:00Z,2016-05-04T00:00:00Z,20,ALTO DO ROSÁRIO,0,0,0,0,0,0,Talvez
400,9,F,ontem,2016-05-04T00:00:00Z,20,ALTO DO ROSÁRIO,0,0,0,0,0,0,No
400,10,F,2016-05-04T19:30:00Z,2016-05-04T00:00:00Z,20,ALTO DO ROSÁRIO,0,0,0,0,0,0,No
400,11,F,2016-05-01T10:00:00Z,2016-05-04T00:00:00Z,20,,0,0,0,0,0,0,No
";

/// Visits of a day so full that one professional cannot attend them: 31, at a third unit.
fn crowd() -> String {
    (0..31)
        .map(|n| {
            format!(
                "{},{},F,2016-05-01T08:00:00Z,2016-05-05T00:00:00Z,33,CENTRO,0,0,0,0,0,0,No\n",
                9000 + n,
                500 + n
            )
        })
        .collect()
}

/// Writes the files below a directory.
pub fn write(dir: &Path) -> PathBuf {
    let visits = format!("{HEADER}{VISITS}{}", crowd());
    let files: [(&str, &str); 4] = [
        ("tuss/tuss22_clean.csv", TUSS),
        ("anvisa/produtos_saude_2020.csv", PRODUCTS),
        ("anvisa/produtos_saude_2020_estetica_subset.csv", AESTHETIC),
        ("no_show/noshow_train.csv", &visits),
    ];
    for (path, content) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir.to_owned()
}
