//! Names people have in Brazil, composed at random: nobody is meant.

/// First names of women.
#[rustfmt::skip]
pub(super) const WOMEN: &[&str] = &[
    "Adriana", "Alessandra", "Alice", "Aline", "Amanda", "Ana", "Andréa", "Ângela", "Antônia", "Aparecida",
    "Beatriz", "Bianca", "Bruna", "Camila", "Carla", "Carolina", "Cecília", "Célia", "Clara", "Cláudia",
    "Cristiane", "Daniela", "Débora", "Denise", "Eduarda", "Elaine", "Eliane", "Elisa", "Érica", "Fabiana",
    "Fátima", "Fernanda", "Flávia", "Gabriela", "Giovana", "Gisele", "Helena", "Heloísa", "Ingrid",
    "Isabela", "Ivone", "Jaqueline", "Jéssica", "Joana", "Josefa", "Júlia", "Juliana", "Karina", "Kátia",
    "Larissa", "Laura", "Letícia", "Lívia", "Lorena", "Lúcia", "Luana", "Luciana", "Luíza", "Manuela",
    "Márcia", "Maria", "Mariana", "Marina", "Marlene", "Marta", "Michele", "Mônica", "Natália", "Noemi",
    "Patrícia", "Paula", "Priscila", "Rafaela", "Raquel", "Regina", "Renata", "Rita", "Roberta", "Rosana",
    "Sabrina", "Sandra", "Sara", "Silvia", "Simone", "Solange", "Sônia", "Sueli", "Tânia", "Tatiana",
    "Teresa", "Thaís", "Valéria", "Vanessa", "Vera", "Vitória", "Viviane", "Yasmin",
];

/// First names of men.
#[rustfmt::skip]
pub(super) const MEN: &[&str] = &[
    "Adriano", "Alexandre", "André", "Antônio", "Arthur", "Augusto", "Benedito", "Bernardo", "Bruno",
    "Caio", "Carlos", "César", "Cláudio", "Daniel", "Danilo", "Davi", "Diego", "Douglas", "Edson",
    "Eduardo", "Emerson", "Enzo", "Fábio", "Felipe", "Fernando", "Flávio", "Francisco", "Gabriel",
    "Geraldo", "Gilberto", "Guilherme", "Gustavo", "Heitor", "Henrique", "Hugo", "Igor", "Ivan", "João",
    "Joaquim", "Jorge", "José", "Júlio", "Leandro", "Leonardo", "Lucas", "Luciano", "Luiz", "Manoel",
    "Marcelo", "Márcio", "Marcos", "Mário", "Mateus", "Maurício", "Miguel", "Murilo", "Nelson", "Otávio",
    "Paulo", "Pedro", "Rafael", "Raimundo", "Renato", "Ricardo", "Roberto", "Rodrigo", "Rogério", "Samuel",
    "Sandro", "Sebastião", "Sérgio", "Thiago", "Tomás", "Valdir", "Vicente", "Vinícius", "Vitor", "Wagner",
    "Wesley", "William", "Yuri",
];

/// Family names.
#[rustfmt::skip]
pub(super) const FAMILIES: &[&str] = &[
    "Abreu", "Aguiar", "Albuquerque", "Almeida", "Alves", "Amaral", "Amorim", "Andrade", "Antunes",
    "Aragão", "Araújo", "Assis", "Azevedo", "Barbosa", "Barros", "Bastos", "Batista", "Bezerra", "Borges",
    "Braga", "Brandão", "Brito", "Camargo", "Campos", "Cardoso", "Carneiro", "Carvalho", "Castro",
    "Cavalcanti", "Chaves", "Coelho", "Conceição", "Correia", "Costa", "Coutinho", "Cruz", "Cunha",
    "Dantas", "Dias", "Domingues", "Duarte", "Esteves", "Farias", "Fernandes", "Ferraz", "Ferreira",
    "Figueiredo", "Fonseca", "Franco", "Freitas", "Garcia", "Gomes", "Gonçalves", "Guedes", "Guimarães",
    "Leal", "Leite", "Lima", "Lopes", "Macedo", "Machado", "Magalhães", "Marinho", "Marques", "Martins",
    "Medeiros", "Melo", "Mendes", "Menezes", "Miranda", "Monteiro", "Moraes", "Moreira", "Mota", "Moura",
    "Nascimento", "Neves", "Nogueira", "Nunes", "Oliveira", "Pacheco", "Paiva", "Peixoto", "Pereira",
    "Pinheiro", "Pinto", "Pires", "Prado", "Queiroz", "Ramos", "Rangel", "Reis", "Rezende", "Ribeiro",
    "Rocha", "Rodrigues", "Sales", "Sampaio", "Santana", "Santos", "Silva", "Silveira", "Siqueira",
    "Soares", "Souza", "Tavares", "Teixeira", "Teles", "Toledo", "Vargas", "Vasconcelos", "Viana", "Vieira",
    "Xavier",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_many_and_none_is_written_twice() {
        for list in [WOMEN, MEN, FAMILIES] {
            assert!(list.len() >= 80);
            assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len());
        }
    }
}
